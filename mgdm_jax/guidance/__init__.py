"""The guidance steps of Algorithm 2, each a pure function of one linearisation."""
