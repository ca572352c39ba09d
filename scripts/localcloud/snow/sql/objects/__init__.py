"""What statements define: tables, Hybrid Tables, pipes, and grants on them."""
