"""The rules of the verdict, by what they lead to."""
