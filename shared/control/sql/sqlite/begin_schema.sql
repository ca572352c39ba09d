-- The write lock at once: a transaction that reads first and writes later fails when another came between, without the
-- busy timeout helping: https://www.sqlite.org/lang_transaction.html
BEGIN IMMEDIATE
