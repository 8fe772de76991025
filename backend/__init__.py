"""What is true: tables, capture, instruments, safety, analysis, audit, accounts, policy. Knows no HTTP and no gateway."""
