"""What came of a run, told: to people, to programs, and as what a failed lab leaves."""
