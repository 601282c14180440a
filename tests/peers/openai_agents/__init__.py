"""OpenAI Agents SDK: SQLiteSession."""
