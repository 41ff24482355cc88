from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('durable_django', '0007_payload_permission'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=models.Q(('sender__gt', '')), fields=['sender', 'id'], name='durable_message_sender'),
        ),
    ]
