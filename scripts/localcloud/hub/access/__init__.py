"""Who may do what: addresses, tokens, the namespace's gate, owner levels."""
