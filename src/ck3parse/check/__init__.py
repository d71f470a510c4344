"""What `ck3parse check` does: errors and warnings of script files, chosen, cached and shown."""
