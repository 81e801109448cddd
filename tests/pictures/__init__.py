"""Pictures of what a person sees, for the documentation."""
