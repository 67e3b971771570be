"""The commands: one module each, with a click command named `command`; found by being here.

A command's body is a chain of stages (`portgen.chain`) and what it prints. Modules import only
click and the standard library at their top. `_options` has the options of all commands, `_lookup`
finds what a person names, `_revise` leads from an edit of the inventory to its file, `_changes`
prints changes, `_asking` locks and asks, `_complete` answers TAB.
"""
