"""How often one address may knock at the doors that check a secret.

Counted per process and forgotten at restart: this only slows a flood. What locks an account out is
counted in the database, by `backend.accounts`.
"""

from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

limiter = Limiter(get_remote_address, storage_uri="memory://", headers_enabled=True)
SECRETS = "60 per minute"
