"""`invalidate_cache` changes what a read costs, never what it returns."""

from readfresh import DefaultSessionStore

reader = DefaultSessionStore("sessions")
writer = DefaultSessionStore("sessions")
writer.add_message("trip", "user", "Where to?")
print("first read:", len(reader.get_chat_history("trip")))

writer.add_message("trip", "assistant", "Porto.")
without = reader.get_chat_history("trip")
print("read again:", len(without))

reader.invalidate_cache("trip")  # of one session
reader.invalidate_cache()  # of all
print("read after invalidate_cache:", len(reader.get_chat_history("trip")))
print("the same:", reader.get_chat_history("trip") == without)
