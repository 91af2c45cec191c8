"""One public function per use case; each owns its transactions. Entry points call these and nothing below them."""
