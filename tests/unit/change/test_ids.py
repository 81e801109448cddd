import re

import pytest

from autofix.change.ids import branch_name, fix_id, message_id, part_id, session_id


def test_fix_id_ignores_order_and_repetition():
    """The same work gives the same id, other work another."""
    assert fix_id(["a-e1-a1", "b-e1-a1"]) == fix_id(["b-e1-a1", "a-e1-a1", "a-e1-a1"])
    assert fix_id(["a-e1-a1"]) != fix_id(["a-e1-a2"])
    assert fix_id(["ab"]) != fix_id(["a", "b"])
    with pytest.raises(ValueError, match="at least one"):
        fix_id([])


def test_branch_is_a_valid_reference():
    """Whatever the repository is called, the branch is plain and holds the fix id."""
    assert branch_name("Acme.Corp/billing_api", "0123") == "autofix/acme-corp-billing-api-0123"
    assert re.fullmatch(r"autofix/[a-z0-9-]+", branch_name("a/" + "x" * 200 + "..", "0123"))


def test_ids_differ_by_purpose_and_carry_their_prefix():
    """No two prompts of one fix share an id, and the server takes their form."""
    made = {
        session_id("f"), session_id("f", "utility"), message_id("f", "fix"),
        message_id("f", "gate-retry"), part_id("f", "fix"), message_id("g", "fix"),
    }  # fmt: skip
    assert len(made) == 6
    assert all(re.fullmatch(r"(ses|msg|prt)_[0-9a-f]{26}", each) for each in made)
