"""Pictures and tables: arrays in, figures and text out."""
