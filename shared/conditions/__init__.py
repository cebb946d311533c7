"""The one grammar of conditions: rules, statuses, caps, record filters, segments and scenarios are written in it."""
