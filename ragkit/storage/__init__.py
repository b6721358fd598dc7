"""Bytes on disk and in memory: tables, checksums, ragged arrays, caches. Knows no retrieval."""
