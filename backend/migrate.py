"""`python -m backend.migrate`: bring the database of LAB_DATABASE_URL to the newest form of the tables."""

from backend.db.migrate import upgrade
from backend.settings import Settings

if __name__ == "__main__":
    upgrade(Settings().resolved_database_url)
