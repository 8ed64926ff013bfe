"""Labels measured against ground truth, and studies of the gap."""
