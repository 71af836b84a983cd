"""The checks: each public function of a module here is one, and each module is a group of the table."""
