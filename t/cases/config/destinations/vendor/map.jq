.event | { id: .messageId }
