"""A plugin that can't be imported, since something it needs is not installed."""

import a_module_that_nobody_has

Broken = a_module_that_nobody_has.Broken
