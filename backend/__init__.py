"""What is true: tables, capture, instruments, safety, analysis, audit, policy. Knows no HTTP and no gateway."""
