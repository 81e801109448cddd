"""Evidence to a plan: the model proposes, `policy` disposes."""
