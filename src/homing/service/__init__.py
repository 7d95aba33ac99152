"""What the product can be asked to do, one function per verb."""
