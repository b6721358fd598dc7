"""Trains the reader: does this passage answer this question, with which words, and how surely?"""
