/// Takes the place of a condition whose parts cannot be copied, which `#expect` would want to.
func holds(_ condition: Bool) -> Bool { condition }
