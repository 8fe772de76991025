"""What the trial's outcomes are computed with: kinetics, change, response, cohorts. Pure functions of plain values."""
