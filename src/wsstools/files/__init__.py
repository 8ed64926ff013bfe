"""The ground of all formats: atomic writes, records, limits, and readers that trust nothing."""
