"""An app in which everything fails, with secrets wherever an error may carry one along."""
