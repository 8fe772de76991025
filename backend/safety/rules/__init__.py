"""The named rules of clinical-safety §3, each a pure function of a context and its thresholds."""
