"""TFX components of this project, each where TFX has none or a slow one."""
