"""Chapter 12: the ledger of claims."""
