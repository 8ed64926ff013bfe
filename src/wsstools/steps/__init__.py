"""What each command does with folders, to be called from Python as well."""
