"""Rows for `test_bgp_fields`, one file for each version of the resources that configure BGP."""
