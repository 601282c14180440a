"""LlamaIndex: SimpleChatStore."""
