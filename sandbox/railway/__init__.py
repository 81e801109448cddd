"""The platform's GraphQL API, answered from the world's measurements."""
