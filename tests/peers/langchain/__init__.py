"""LangChain: FileChatMessageHistory."""
