"""The platform's log filters."""

import pytest

from sandbox.railway.filters import FilterError, parse_filter

ROW = {"": "GET /invoices/7 500", "level": "error", "httpstatus": "500", "path": "/invoices/7"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "invoices",
        '"invoices/7 500"',
        "@level:error",
        "@httpStatus:>=500",
        "@httpStatus:500..599",
        "@httpStatus:<501 -refused",
        "@level:info OR @level:error",
        "-(@level:info OR refused) AND @path:/invoices/7",
        "-@level:info",
    ],
)
def test_accepts_what_it_names(text: str) -> None:
    assert parse_filter(text)(ROW)


@pytest.mark.parametrize(
    "text",
    [
        "refunds",
        "@level:info",
        "@httpStatus:>500",
        "@httpStatus:400..499",
        "-invoices",
        "@level:error refunds",
        "-(@level:error OR refused)",
        "@unknown:7",
    ],
)
def test_refuses_what_it_does_not_name(text: str) -> None:
    assert not parse_filter(text)(ROW)


@pytest.mark.parametrize("text", ["(", "@level", "invoices OR", "a) b"])
def test_an_unreadable_filter_is_an_error(text: str) -> None:
    with pytest.raises(FilterError):
        parse_filter(text)
