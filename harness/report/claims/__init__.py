"""The claims of 2025: verdict boxes, what each chapter says about them, the ledger."""
