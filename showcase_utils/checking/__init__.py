"""`showcase check`: everything that would stop a run or limit it, told at once and before anything is computed."""
