"""How members of unions are told apart in the grammar."""

TAG = "is:"
"""What pydantic puts into the place of an error for the member of a union that was chosen begins with this."""
