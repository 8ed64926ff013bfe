"""Files that studies read and write: folders, counts, given scores, clusters, results."""
