"""The engine: commands on a store, in views and transactions. It knows no protocol; dialects such as redis/ do."""
