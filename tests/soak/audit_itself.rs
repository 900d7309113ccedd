//! The audit notices what it is there for: a ledger in which one thing went wrong.
