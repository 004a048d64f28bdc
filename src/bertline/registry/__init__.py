"""Where bundles are kept when they are not on this machine, how they get here, and which version of a model is in use.

``fetch`` moves bundles. The registry names them: models, their versions and aliases in MLflow's tables, and beside them
a log of deployments that shows whether its past was changed. ``database`` and what imports it need SQLAlchemy; only
``mlflow_store`` imports MLflow.
"""
