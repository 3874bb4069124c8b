"""The contracts of Spareline and the step that generates code from them."""
