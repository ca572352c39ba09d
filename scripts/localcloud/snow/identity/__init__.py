"""Who calls: users with key pairs, access tokens, and the scoped tokens that they are exchanged for."""
