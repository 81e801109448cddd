"""Routes to handlers to queries, in the frameworks people use; and what must not be found."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from autofix.investigate.code.excerpts import MOST, excerpt
from autofix.investigate.code.files import code_files, locate, rank_files
from autofix.investigate.code.functions import Index, Source
from autofix.investigate.code.guide import find_commands
from autofix.investigate.code.handlers import find_handlers
from autofix.investigate.code.queries import find_growth, find_queries, find_queries_through
from autofix.investigate.traces import Frame, frames
from tests.unit.investigate.test_logs import GO, JAVA, NODE, RUBY

ROUTE = "/customers/{id}/orders"
SERVICES = Path(__file__).resolve().parents[3] / "sandbox" / "services"


FRAMEWORKS = {
    "flask": (
        {
            "shop/views.py": """
            @app.route("/customers/<int:id>", methods=["GET"])
            def customer(id):
                return "x"

            @app.route("/customers/<int:id>/orders")
            def list_orders(id):
                return [o for o in load(id)]
            """
        },
        ("shop/views.py", "list_orders"),
    ),
    "fastapi with a prefix": (
        {
            "app/routers/orders.py": """
            router = APIRouter(prefix="/customers")

            @router.post("/{customer_id}/orders")
            async def create_order(customer_id: int):
                ...

            @router.get("/{customer_id}/orders", response_model=list[Order])
            async def read_orders(
                customer_id: int,
                session: Session = Depends(get_session),
            ) -> list[Order]:
                return session.query(Order).all()
            """
        },
        ("app/routers/orders.py", "read_orders"),
    ),
    "django": (
        {
            "shop/urls.py": """
            urlpatterns = [
                path("customers/<int:pk>/", views.customer_detail),
                path("customers/<int:pk>/orders/", views.customer_orders, name="orders"),
            ]
            """,
            "shop/views.py": """
            def customer_detail(request, pk):
                return render(request, "c.html")

            def customer_orders(request, pk):
                orders = Order.objects.filter(customer_id=pk)
                for order in orders:
                    order.lines = list(Line.objects.filter(order=order))
                return render(request, "o.html", {"orders": orders})
            """,
        },
        ("shop/views.py", "customer_orders"),
    ),
    "express": (
        {
            "src/routes.js": """
            const router = require('express').Router();
            router.get('/customers/:id', getCustomer);
            router.get('/customers/:id/orders', auth, listOrders);

            async function getCustomer(req, res) {
              res.json(await db.query('SELECT 1'));
            }

            async function listOrders(req, res) {
              const orders = await db.query('SELECT * FROM orders');
              for (const order of orders) {
                order.items = await db.query('SELECT * FROM items WHERE o = $1', [order.id]);
              }
              res.json(orders);
            }
            """
        },
        ("src/routes.js", "listOrders"),
    ),
    "express, inline": (
        {
            "src/server.ts": """
            const app = express();
            app.get('/health', (req, res) => res.send('ok'));

            app.get(`/customers/:customerId/orders`, async (req, res) => {
              const orders = await prisma.order.findMany({ where: { id: 1 } });
              const full = await Promise.all(orders.map((o) => prisma.item.findMany({ where: o })));
              res.json(full);
            });
            """
        },
        ("src/server.ts", "(inline)"),
    ),
    "nest": (
        {
            "src/customers.controller.ts": """
            @Controller('customers')
            export class CustomersController {
              @Get(':id')
              findOne(@Param('id') id: string) {
                return this.customers.findOne(id);
              }

              @Get(':id/orders')
              async findOrders(@Param('id') id: string) {
                return this.orders.findAll(id);
              }
            }
            """
        },
        ("src/customers.controller.ts", "findOrders"),
    ),
    "next": (
        {
            "app/customers/[id]/orders/route.ts": """
            export async function GET(request: Request, { params }) {
              return Response.json(await sql`SELECT * FROM orders`);
            }
            """,
            "app/customers/[id]/page.tsx": """
            export default function Page() {
              return null;
            }
            """,
        },
        ("app/customers/[id]/orders/route.ts", "GET"),
    ),
    "net/http": (
        {
            "main.go": """
            func main() {
            \tmux.HandleFunc("GET /customers/{id}", getCustomer)
            \tmux.HandleFunc("GET /customers/{id}/orders", s.listOrders)
            }

            func getCustomer(w http.ResponseWriter, r *http.Request) {
            \tw.WriteHeader(200)
            }

            func (s *Server) listOrders(w http.ResponseWriter, r *http.Request) {
            \trows, _ := s.db.QueryContext(r.Context(), "SELECT id FROM orders")
            \tfor rows.Next() {
            \t\ts.loadItems(r.Context(), 1)
            \t}
            }

            func (s *Server) loadItems(ctx context.Context, id int) {
            \ts.db.QueryContext(ctx, "SELECT * FROM items WHERE order_id = $1", id)
            }
            """
        },
        ("main.go", "listOrders"),
    ),
    "chi": (
        {
            "api/routes.go": """
            func Routes(r chi.Router) {
            \tr.Route("/customers", func(r chi.Router) {
            \t\tr.Get("/{customerID}/orders", ListOrders)
            \t\tr.Post("/{customerID}/orders", CreateOrder)
            \t})
            }

            func ListOrders(w http.ResponseWriter, r *http.Request) {
            \tw.WriteHeader(200)
            }

            func CreateOrder(w http.ResponseWriter, r *http.Request) {
            \tw.WriteHeader(201)
            }
            """
        },
        ("api/routes.go", "ListOrders"),
    ),
    "rails": (
        {
            "config/routes.rb": """
            Rails.application.routes.draw do
              get "/customers/:id", to: "customers#show"
              get "/customers/:id/orders", to: "orders#index"
            end
            """,
            "app/controllers/orders_controller.rb": """
            class OrdersController < ApplicationController
              def show
                @order = Order.find(params[:id])
              end

              def index
                @orders = Order.where(customer_id: params[:id])
                @orders.each do |order|
                  order.lines = Line.where(order_id: order.id)
                end
              end
            end
            """,
        },
        ("app/controllers/orders_controller.rb", "index"),
    ),
    "sinatra": (
        {
            "app.rb": """
            get '/customers/:id' do
              erb :customer
            end

            get '/customers/:id/orders' do
              @orders = DB[:orders].where(customer_id: params[:id])
              erb :orders
            end
            """
        },
        ("app.rb", "(inline)"),
    ),
    "regular expressions": (
        {
            "app.py": """
            def show_orders(number):
                return 200, []

            def show_customer(number):
                return 200, {}

            ROUTES = (
                (re.compile(r"/customers/(\\d+)/orders"), show_orders),
                (re.compile(r"/customers/(\\d+)"), show_customer),
            )
            """
        },
        ("app.py", "show_orders"),
    ),
    "spring": (
        {
            "src/main/java/acme/CustomerController.java": """
            @RestController
            @RequestMapping("/customers")
            public class CustomerController {
                @GetMapping("/{id}")
                public Customer show(@PathVariable long id) {
                    return customers.findById(id);
                }

                @GetMapping("/{id}/orders")
                public List<Order> orders(@PathVariable long id) {
                    return orders.findAllByCustomer(id);
                }
            }
            """
        },
        ("src/main/java/acme/CustomerController.java", "orders"),
    ),
}
LOOPED = {"django", "express", "express, inline", "net/http", "rails"}


def _index(name: str) -> Index:
    return Index({p: Source(p, textwrap.dedent(t)) for p, t in FRAMEWORKS[name][0].items()})


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_handler_of_a_route_is_found(name: str) -> None:
    """First of all that are found, among the handlers of routes that look alike."""
    handlers = find_handlers(_index(name), "GET", ROUTE)
    found = [(h.function.path, h.function.name) for h in handlers]
    assert found[:1] == [FRAMEWORKS[name][1]]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_query_in_a_loop_is_seen_and_no_other(name: str) -> None:
    """In the handler's own lines, or through what it calls from inside a loop."""
    found = _index(name)
    handler = find_handlers(found, "GET", ROUTE)[0].function
    called = [f for _, f in found.calls(handler)]
    asking = [f for f in called if find_queries(found.sources[f.path], f)]
    looped = [
        query
        for query in (
            *find_queries(found.sources[handler.path], handler),
            *find_queries_through(found, handler, asking),
        )
        if query.loop is not None
    ]
    assert bool(looped) is (name in LOOPED)


def test_a_route_dispatched_by_hand_is_found() -> None:
    """No framework: the parts of the path are compared one by one."""
    names = ("app.py", "database.py")
    sources = {n: Source(n, (SERVICES / "orders-web" / n).read_text()) for n in names}
    handlers = find_handlers(Index(sources), "GET", ROUTE)
    assert "orders_page" in [h.function.name for h in handlers]


@pytest.mark.parametrize("route", ["/", "/{id}", "/invoices/{id}", "/orders/{id}/customers"])
def test_another_route_has_no_handler_here(route: str) -> None:
    """A path without words, or with others, or in another order leads nowhere."""
    assert find_handlers(_index("flask"), "GET", route) == []


def test_a_handler_of_another_method_comes_later() -> None:
    """POST to the same path is answered by another function."""
    handlers = find_handlers(_index("chi"), "POST", ROUTE)
    assert [h.function.name for h in handlers][:1] == ["CreateOrder"]


def test_tests_and_generated_files_are_not_read() -> None:
    """Nor what is outside of the service's folder, no code, or too large."""
    ours = ["svc/app.py", "svc/src/api.ts", "svc/cmd/main.go"]
    others = [
        "app.py", "svc/test_app.py", "svc/tests/helpers.py", "svc/node_modules/x/index.js",
        "svc/dist/app.min.js", "svc/a.test.ts", "svc/store_test.go", "svc/README.md", "svc/x.pb.go",
    ]  # fmt: skip
    sizes = dict.fromkeys([*ours, *others], 900) | {"svc/big.py": 10**7}
    assert code_files(sizes, "svc") == ours


def test_files_that_are_named_like_the_route_are_read_first() -> None:
    """Then where applications begin, then the rest."""
    paths = ["src/mail.py", "src/order_views.py", "src/main.py", "lib/deep/er/tools.py"]
    assert rank_files(paths, [ROUTE], dict.fromkeys(paths, 500))[:2] == [
        "src/order_views.py",
        "src/main.py",
    ]


@pytest.mark.parametrize(
    ("frame", "path"),
    [
        (Frame("/app/shop/views.py", 9, "list"), "shop/views.py"),
        (Frame("views.py", 9, "list"), "shop/views.py"),
        (Frame("/app/dist/orders.js", 9, "list"), "src/orders.ts"),
        (Frame("Rates.java", 17, "com.acme.billing.Rates.of"), "src/com/acme/billing/Rates.java"),
        (Frame("/usr/lib/python3.11/json.py", 3, "loads"), None),
        (Frame("/app/util.py", 3, "x"), None),
    ],
)
def test_a_frame_leads_to_its_file_or_to_none(frame: Frame, path: str | None) -> None:
    """By the end of its path; a name that two files have is no answer."""
    paths = [
        "shop/views.py", "src/orders.ts", "src/com/acme/billing/Rates.java",
        "src/com/acme/tax/Rates.java", "a/util.py", "b/util.py",
    ]  # fmt: skip
    assert locate(frame, paths) == path


@pytest.mark.parametrize(
    ("trace", "own"),
    [
        (NODE, [("/app/src/orders.js", 42, "getOrder"), ("/app/src/server.ts", 10, "")]),
        (JAVA, [("Invoices.java", 52, "com.acme.billing.Invoices.total"),
                ("Rates.java", 17, "com.acme.billing.Rates.of")]),
        (GO, [("/app/store.go", 71, "main.(*Store).total"), ("/app/main.go", 33, "main.handler")]),
        (RUBY, [("app/models/invoice.rb", 12, "total"),
                ("app/controllers/invoices_controller.rb", 8, "show")]),
    ],
)  # fmt: skip
def test_frames_of_our_own_code_are_told_from_libraries(
    trace: str, own: list[tuple[str, int, str]]
) -> None:
    """In each language by where its libraries lie."""
    found = [(f.path, f.line, f.function) for f in frames(trace) if not f.is_foreign]
    assert found == own


def test_a_collection_that_only_grows_is_seen() -> None:
    """Kept for the whole process, added to, never made smaller."""
    source = Source("app.py", (SERVICES / "catalog-api" / "app.py").read_text())
    assert [g.name for g in find_growth(source)] == ["RECENT_VIEWS"]
    healthy = Source("app.py", (SERVICES / "_healthy" / "catalog-api" / "app.py").read_text())
    assert find_growth(healthy) == []


@pytest.mark.parametrize(
    ("path", "text", "grows"),
    [
        ("a.js", "const cache = new Map();\nfunction f(k, v) {\n  cache.set(k, v);\n}\n", True),
        ("a.js", "const cache = new Map();\ncache.set(1, 2);\ncache.delete(1);\n", False),
        ("a.go", "var seen = map[string]int{}\nfunc f(k string) {\n\tseen[k] = 1\n}\n", True),
        ("a.rb", "@@log = []\ndef f(x)\n  @@log << x\nend\n", True),
        ("a.py", "SEEN: dict[str, int] = {}\ndef f(k):\n    SEEN[k] = 1\n", True),
        ("a.py", "SEEN = {}\ndef f(k):\n    SEEN[k] = 1\n    SEEN.pop(k)\n", False),
        ("a.py", "SEEN = deque(maxlen=9)\ndef f(k):\n    SEEN.append(k)\n", False),
        ("a.py", "def f(k):\n    seen = []\n    seen.append(k)\n", False),
        ("a.py", "NAMES = {}\nprint(NAMES['a'] == 1)\n", False),
    ],
)
def test_growth_in_other_languages(path: str, text: str, grows: bool) -> None:
    """What is local, bounded or emptied somewhere does not grow."""
    assert bool(find_growth(Source(path, text))) is grows


def test_an_excerpt_keeps_what_matters_of_a_long_function() -> None:
    """Its first lines and those around the marks, with real line numbers."""
    source = Source("a.py", "\n".join(f"line {n}" for n in range(1, 301)))
    text = excerpt(source, 10, 290, [200])
    rows = text.split("\n")
    assert len(rows) <= MOST + 3
    assert rows[0] == "  10 | line 10"
    assert ">200 | line 200" in rows
    assert rows[-1].strip().startswith("…")


def test_test_commands_are_found_where_a_repository_says_them() -> None:
    """In prose, in a block, in a script and in a make file; each once."""
    texts = {
        "AGENTS.md": "Run `python -m pytest -q` before you commit.\n",
        "README.md": "```\n$ npm test\n$ go test ./...\n```\nWe test a lot.\n",
        "package.json": '{"scripts": {"test": "vitest run"}}',
        "Makefile": "build:\n\tgo build\ntest: build\n\tgo test\n",
    }
    assert find_commands(texts) == [
        "AGENTS.md: python -m pytest -q",
        "README.md: npm test",
        "README.md: go test ./...",
        "package.json: npm test (vitest run)",
        "Makefile: make test",
    ]
