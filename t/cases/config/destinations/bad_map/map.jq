# two lines that are fine
.event
| { id: .messageId 
