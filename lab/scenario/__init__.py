"""Scenarios: short stories about a running lab, told with real tools and checked step by step."""
