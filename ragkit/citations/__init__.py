"""What proves a citation: verification, links that scroll to it, its new place after an edit."""
